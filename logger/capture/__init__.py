"""Records a gateway once, anonymised, so that the recording can be replayed."""
