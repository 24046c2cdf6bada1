"""What is wrong where a runtime disagrees about an exported model: the fault by its name.

Three questions, none of which needs torch or runs code of the model: is the file the one that its
manifest describes (`diagnose_file`), which mistake would give the logits that a runtime gave
(`diagnose_logits`), and which would give its correct count (`diagnose_score`)?
"""

from bnbench.models.diagnosis.faults import Fault, FaultName
from bnbench.models.diagnosis.logits import diagnose_logits
from bnbench.models.diagnosis.model_file import diagnose_file
from bnbench.models.diagnosis.score import diagnose_score

__all__ = ["Fault", "FaultName", "diagnose_file", "diagnose_logits", "diagnose_score"]
