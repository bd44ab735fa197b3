"""Records a gateway once, anonymised, so that it can be replayed."""
