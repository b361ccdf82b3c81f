"""Tables as files, in blocks: one input row is one output row, in order, in bounded memory."""
