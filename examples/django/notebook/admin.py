"""Django's admin, with the notes in it."""

from django.contrib import admin

from .models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    """Notes, by owner."""

    list_display = ("text", "owner", "written")
    list_filter = ("owner",)
