"""How Sphinx makes the site. Chosen: Sphinx (BSD) and MyST (MIT), which run pages and notebooks; Furo (MIT), a theme
that takes nothing from another host."""

from tradex_ledger import __version__

project = "tradex-ledger"
author = "the authors of tradex-ledger"
version = release = __version__
extensions = ["myst_nb", "folders", "played"]
html_theme = "furo"
html_title = f"tradex-ledger {version}"
html_show_sphinx = False
html_copy_source = False
html_last_updated_fmt = None
templates_path: list[str] = []
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# A block in another language than Sphinx knows is shown as it is.
highlight_language = "text"
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
