"""Two years of four kinds of site with a truth of their own, loaded into real databases."""
