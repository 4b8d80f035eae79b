"""What HTTP sees: translate, delegate, translate back."""
