"""Where rows of Bronze come from: a place (a folder of delivered files), and a reader of what lies there."""
