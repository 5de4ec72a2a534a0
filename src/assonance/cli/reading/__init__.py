"""Define the commands that read a finished run: show, export, plot, report and explore."""
