"""The providers that come with FoodLog, loaded through the same door as anybody's."""
