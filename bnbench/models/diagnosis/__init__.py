"""The cause of a runtime's disagreement about an exported model: a fault with a name.

Three questions, answered without torch and without running the model's code. Is the file the one
that its manifest describes (`diagnose_file`)? Which mistake gives a runtime's logits
(`diagnose_logits`)? Which mistake gives its correct count (`diagnose_score`)?
"""

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.diagnosis.logits import diagnose_logits
from bnbench.models.diagnosis.model_file import diagnose_file
from bnbench.models.diagnosis.score import diagnose_score

__all__ = ["Fault", "FaultName", "diagnose_file", "diagnose_logits", "diagnose_score"]
