"""The bundle: the contract between those who train a model and those who serve it.

A bundle is the directory ``<model>/<version>/``: a manifest, two ONNX graphs, a tokenizer and
goldens. This package is its one specification: it reads, checks and writes bundles.
"""

from service.bundle.errors import BundleError
from service.bundle.goldens import Golden, GoldenHypothesis, dump_goldens, mismatches, parse_goldens
from service.bundle.graphs import Graphs, GraphSpec, MemorySpec, StateSpec, TensorSpec
from service.bundle.manifest import (
    FORMAT_VERSION,
    DecodeDefaults,
    FileSpec,
    Limits,
    Manifest,
    Provenance,
    Quality,
    Quantisation,
    SpecialIds,
    TokenizerSpec,
    check_manifest,
    dump_manifest,
    load_manifest,
    parse_manifest,
)
from service.bundle.names import (
    GOLDENS_FILE,
    MANIFEST_FILE,
    SHORTLIST_FILE,
    TEMPORARY_PREFIX,
    is_language,
    is_model_name,
    parse_version,
    versions,
)
from service.bundle.reader import Bundle, BundleLimits, open_bundle
from service.bundle.shortlist import Shortlist, dump_shortlist, parse_shortlist
from service.bundle.tokenizer import (
    CharacterTokenizer,
    SentencePieceTokenizer,
    SymbolTokenizer,
    Tokenizer,
    character_table,
    load_tokenizer,
    symbol_table,
)
from service.bundle.writer import next_version, publish_bundle, write_bundle

__all__ = [
    "FORMAT_VERSION",
    "GOLDENS_FILE",
    "MANIFEST_FILE",
    "SHORTLIST_FILE",
    "TEMPORARY_PREFIX",
    "Bundle",
    "BundleError",
    "BundleLimits",
    "CharacterTokenizer",
    "DecodeDefaults",
    "FileSpec",
    "Golden",
    "GoldenHypothesis",
    "GraphSpec",
    "Graphs",
    "Limits",
    "Manifest",
    "MemorySpec",
    "Provenance",
    "Quality",
    "Quantisation",
    "SentencePieceTokenizer",
    "Shortlist",
    "SpecialIds",
    "StateSpec",
    "SymbolTokenizer",
    "TensorSpec",
    "Tokenizer",
    "TokenizerSpec",
    "character_table",
    "check_manifest",
    "dump_goldens",
    "dump_manifest",
    "dump_shortlist",
    "is_language",
    "is_model_name",
    "load_manifest",
    "load_tokenizer",
    "mismatches",
    "next_version",
    "open_bundle",
    "parse_goldens",
    "parse_manifest",
    "parse_shortlist",
    "parse_version",
    "publish_bundle",
    "symbol_table",
    "versions",
    "write_bundle",
]
