"""Windows: laid ahead as gate intervals, asked for by operations and replenishments."""
