"""What is written down."""

from django.conf import settings
from django.db import models


class Note(models.Model):
    """A note of a user."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notes")
    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-written",)

    def __str__(self) -> str:
        return self.text
