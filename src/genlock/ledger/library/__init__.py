"""What films are made from and made for: clients, campaigns, assets, and what was said of videos."""
