"""Moving a tenant to another tier while people read and write it."""

from mosaic_core.moves.fit import Fit
from mosaic_core.moves.mover import Mover
from mosaic_core.moves.moving import Moving
from mosaic_core.moves.states import BACK, FORWARD, Move, MoveRow, Step
from mosaic_core.moves.store import Moves

__all__ = ["BACK", "FORWARD", "Fit", "Move", "MoveRow", "Mover", "Moves", "Moving", "Step"]
