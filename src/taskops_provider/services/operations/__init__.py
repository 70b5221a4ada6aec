"""Operations: preview, apply, record, undo."""
