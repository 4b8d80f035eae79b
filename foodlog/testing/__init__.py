"""What tests of FoodLog and of its plugins share."""
