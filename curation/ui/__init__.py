"""Forms, components and session of the app: the only Streamlit code outside app.py and pages/."""
