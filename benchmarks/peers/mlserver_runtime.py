"""An MLServer runtime for texts and nulls: the stock runtime leaves None in a column, where scikit-learn needs NaN."""

from pathlib import Path

from frames import Frames
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver_sklearn import SKLearnModel


class FrameModel(SKLearnModel):
    """The stock runtime with the frame of training."""

    async def load(self) -> bool:
        """Load the model and its columns."""
        pickled = Path(self.settings.parameters.uri)
        self._frames = Frames(pickled.parent, pickled.stem)
        return await super().load()

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the labels of the rows of all requests of a batch."""
        labels = self._model.predict(self._frames.of(PandasCodec.decode_request(payload)))
        outputs = [NumpyCodec.encode_output("predict", labels)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
