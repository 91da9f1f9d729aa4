"""Pictures as SVG for the page and for reports: geometry stands in attributes, colour in classes of a stylesheet.

A form of the report is made of what is drawn here: who draws otherwise makes another form, and a test tells it."""
