// A real OpenID provider on the loopback, whose keys are made as it starts.
//
// node oidc_provider.mjs LIBRARY CONFIGURATION, where CONFIGURATION is JSON: port, clients. Whoever
// signs in is called as they type; "unverified-…" has an address that nobody has verified. It says
// in a line when it listens. It ends with its standard input.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";

const [library, given] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(library).href);
const { port, clients } = JSON.parse(given);
const issuer = `http://127.0.0.1:${port}`;

function key(kind, options, alg) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg };
}

function claims(login) {
  return {
    sub: login,
    email: `${login}@example.com`,
    email_verified: !login.startsWith("unverified-"),
    name: login[0].toUpperCase() + login.slice(1),
  };
}

const provider = new Provider(issuer, {
  clients,
  jwks: {
    keys: [key("ec", { namedCurve: "P-256" }, "ES256"), key("rsa", { modulusLength: 2048 }, "RS256")],
  },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  cookies: { keys: [randomUUID()] },
  findAccount: (context, login) => ({ accountId: login, claims: () => claims(login) }),
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
provider.listen(port, "127.0.0.1", () => console.log(`listening at ${issuer}`));
