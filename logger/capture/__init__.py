"""Records a gateway once, anonymised, to be replayed."""
