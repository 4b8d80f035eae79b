"""The configurations that come with FoodLog; installed as ``foodlog_config``."""
