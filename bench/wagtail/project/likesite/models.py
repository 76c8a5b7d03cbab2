"""The page that is measured."""

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest
from wagtail import blocks
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.models import Page, Site


class ContentPage(Page):
    """A title, a summary and a stream of blocks; the home page and the section are such too."""

    summary = models.CharField(max_length=255)
    body = StreamField(
        [
            ("heading", blocks.CharBlock(template="likesite/blocks/heading.html")),
            ("rich_text", blocks.RichTextBlock()),
            ("quote", blocks.TextBlock(template="likesite/blocks/quote.html")),
        ]
    )
    template = "likesite/content_page.html"

    content_panels: ClassVar[list[Any]] = [
        *Page.content_panels,
        FieldPanel("summary"),
        FieldPanel("body"),
    ]

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Adds the site, the menu of the published tree and the trail above this page."""
        context: dict[str, Any] = super().get_context(request, *args, **kwargs)
        site = Site.find_for_request(request)
        context["site"] = site
        context["menu"] = list(site.root_page.get_children().live().in_menu())
        context["trail"] = list(self.get_ancestors().live().filter(depth__gt=1))
        return context
