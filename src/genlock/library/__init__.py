"""The library: clients, campaigns, and the pictures that films are made of, taken in from anywhere safely."""
