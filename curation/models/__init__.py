"""The only room that loads networks or calls services: encoders, tokenizers, words."""
