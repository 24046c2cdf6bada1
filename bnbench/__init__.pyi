# The types of what `__init__.py` imports late; a test holds that both have the same names.
from bnbench.errors import BnbenchError as BnbenchError
from bnbench.library.callables import own_callable as own_callable
from bnbench.library.run import Model as Model
from bnbench.library.run import Run as Run
from bnbench.library.run import open_run as open_run
from bnbench.library.study import Study as Study
from bnbench.recipes import RecipeChange as RecipeChange
from bnbench.recipes import RecipeSpec
from bnbench.specs import TimingSpec, TuningSpec, VariantSpec

Recipe = RecipeSpec
Timing = TimingSpec
Tuning = TuningSpec
Variant = VariantSpec

__version__: str
