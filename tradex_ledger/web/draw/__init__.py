"""Pictures as SVG, made on the server: geometry stands in attributes, colour in classes of the stylesheet."""
