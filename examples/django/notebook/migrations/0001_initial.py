"""The table of notes, and two users: `alice`, who may see the admin, and `bob`."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import migrations, models


def demo_users(apps, schema_editor):
    """A site of your own has none of these."""
    user = apps.get_model("auth", "User")
    for name, admin in (("alice", True), ("bob", False)):
        user.objects.create(username=name, password=make_password(f"{name}-demo"), is_staff=admin, is_superuser=admin)


class Migration(migrations.Migration):
    initial = True

    dependencies = (("auth", "0012_alter_user_first_name_max_length"),)

    operations = (
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=200)),
                ("written", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-written",)},
        ),
        migrations.RunPython(demo_users, migrations.RunPython.noop),
    )
