"""Text in, text out, on one model: sentences are split, decoded side by side and put together."""

from service.translation.options import Term, TranslateOptions
from service.translation.result import TextHypothesis, TokenScore, Translation
from service.translation.segments import Segments, split
from service.translation.translator import DecodingEngine, TranslationModel, Translator
from service.translation.window import Window

__all__ = [
    "DecodingEngine",
    "Segments",
    "Term",
    "TextHypothesis",
    "TokenScore",
    "TranslateOptions",
    "Translation",
    "TranslationModel",
    "Translator",
    "Window",
    "split",
]
