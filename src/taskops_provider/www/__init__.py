"""The pages: thin AppBuilder views, presenters and templates that know no Flask, static files."""
