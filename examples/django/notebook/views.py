"""The pages that are not Django's own."""

from django.contrib.auth.decorators import login_required
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from enforcer_client.django.sessions import log_out_everywhere

from .models import Note

NoteForm = modelform_factory(Note, fields=("text",))


@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The user's notes, and a line for a new one."""
    form = NoteForm(request.POST or None, instance=Note(owner=request.user))
    if form.is_valid():
        form.save()
        return redirect("home")
    return render(request, "home.html", {"form": form})


@require_POST
def logout_everywhere(request: HttpRequest) -> HttpResponse:
    """This browser and all others."""
    log_out_everywhere(request)
    return redirect("goodbye")
