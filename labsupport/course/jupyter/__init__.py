"""JupyterLab's settings for `labs lab`: this folder goes onto JUPYTER_CONFIG_PATH."""
