"""From a trained model to a verified, published bundle."""

from training.export.parity import ParityError, ParityReport
from training.export.publish import Exported, ExportError, export_bundle

__all__ = ["ExportError", "Exported", "ParityError", "ParityReport", "export_bundle"]
