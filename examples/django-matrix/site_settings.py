SECRET_KEY = "not a secret: nothing is served"
INSTALLED_APPS = ["greeting"]
ROOT_URLCONF = "greeting.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
