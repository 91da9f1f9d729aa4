from tradex_ledger.datasets.built_in import BUILT_IN as BUILT_IN
from tradex_ledger.datasets.built_in import PIPELINE as PIPELINE
from tradex_ledger.workspace.opened import Workspace as Workspace
from tradex_ledger.workspace.opened import WorkspaceExistsError as WorkspaceExistsError
