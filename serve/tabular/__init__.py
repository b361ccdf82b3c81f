"""Tables as files, in blocks: one input row is one output row, in order, in bounded memory."""

from serve.tabular.csv_source import Block, CsvSource
from serve.tabular.csv_writer import CsvWriter
from serve.tabular.ndjson_writer import NdjsonWriter
from serve.tabular.options import CsvOptions

__all__ = ["Block", "CsvOptions", "CsvSource", "CsvWriter", "NdjsonWriter"]
