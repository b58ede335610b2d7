"""What arrived from the gateways, and where it is kept.

`sensors.decode` is the function, also after `import sensors.decode`: it is bound here after its module.
"""

from sensors.decode import Decoder, decode
from sensors.reading import PayloadRejected, Reading

__all__ = ["Decoder", "PayloadRejected", "Reading", "decode"]
