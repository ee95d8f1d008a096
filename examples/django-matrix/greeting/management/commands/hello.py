import platform

import django
from django.core.management.base import BaseCommand
from django.test import RequestFactory
from django.urls import resolve


class Command(BaseCommand):
    help = "Answer one request, and say which Django and Python answered it."

    def handle(self, *args, **options):
        view = resolve("/").func
        answer = view(RequestFactory().get("/")).content.decode()
        self.stdout.write(f"{answer} from Django {django.get_version()} on Python {platform.python_version()}")
