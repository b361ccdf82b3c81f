"""The models in memory, and the one service that every prediction passes."""
