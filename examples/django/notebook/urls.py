"""Where what is. Log-in, log-out and the change of a password are Django's own views."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import path
from django.views.generic import TemplateView

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("login", auth.LoginView.as_view(template_name="login.html"), name="login"),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("logout/everywhere", views.logout_everywhere, name="logout_everywhere"),
    path("password", auth.PasswordChangeView.as_view(template_name="password.html", success_url="/"), name="password"),
    path("goodbye", TemplateView.as_view(template_name="goodbye.html"), name="goodbye"),
    path("admin/", admin.site.urls),
]
