import streamlit as st

st.title("select")
