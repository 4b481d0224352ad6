"""What the intent classifier sees of a message: its sentence vector, and its character and word n-grams.

In serving, `web` has already encoded the message and sends the vector in the metadata: a turn costs one encoding. It is
taken out of the metadata here, so that it never enters the tracker, and handed to the action call through a context
variable. Training, `rasa shell` and `rasa test` have no such metadata and encode here.
"""

import base64
import binascii
import re
from contextvars import ContextVar
from typing import Any, Dict, List, Optional, Text, Type

import numpy as np
import scipy.sparse
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.featurizers.sparse_featurizer.sparse_featurizer import SparseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from sklearn.feature_extraction.text import HashingVectorizer

from bot import patches
from bot.place import build_folder
from knowledge.encoder import DIMENSIONS, Encoder

METADATA_KEY = "vector"
# Rasa's classifier takes no strength of regularisation: longer features stand for a weaker one
LENGTH = 3.0
BUCKETS = 2**14
NOT_A_WORD = re.compile(r"[^\w']+")
current_vector: ContextVar[Optional[Text]] = ContextVar("current_vector", default=None)


def decode_vector(value: Any) -> Optional[np.ndarray]:
    """Base64 of 384 little-endian float32 to an array (384,); None when it is anything else."""
    if not isinstance(value, str):
        return None
    try:
        vector = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
    except (binascii.Error, ValueError):
        return None
    return vector if vector.shape == (DIMENSIONS,) and np.isfinite(vector).all() else None


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceVector(DenseFeaturizer, GraphComponent):
    """One dense sentence feature of 384 numbers."""

    def __init__(self, config: Dict[Text, Any], name: Text) -> None:
        super().__init__(name, config)
        self._encoder: Optional[Encoder] = None

    @classmethod
    def required_components(cls) -> List[Type]:
        """A tokenizer must stand before it."""
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """Rasa looks for `alias` in every featurizer."""
        return {**DenseFeaturizer.get_default_config(), "alias": None}

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """There is nothing to get wrong."""

    @classmethod
    def create(
        cls, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> "SentenceVector":
        """Rasa's factory; also the place where this process is mended (see bot.patches)."""
        patches.install()
        return cls(config, execution_context.node_name)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """A changed encoder or knowledge base must retrain, though Rasa sees neither."""
        return build_folder().name

    def process(self, messages: List[Message]) -> List[Message]:
        """Add the vector to each message, from its metadata or by encoding."""
        for message in messages:
            metadata = message.data.get("metadata")
            sent = metadata.pop(METADATA_KEY, None) if isinstance(metadata, dict) else None
            vector = decode_vector(sent)
            current_vector.set(sent if vector is not None else None)
            if vector is None:
                vector = self._encode([message.get(TEXT) or ""])[0]
            self._add(message, vector)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add vectors to all training examples."""
        examples = [e for e in training_data.training_examples if e.get(TEXT)]
        for message, vector in zip(examples, self._encode([e.get(TEXT) for e in examples])):
            self._add(message, vector)
        return training_data

    def _encode(self, texts: List[Text]) -> np.ndarray:
        if self._encoder is None:
            self._encoder = Encoder.load(build_folder() / "encoder")
        return self._encoder.encode(texts)

    def _add(self, message: Message, vector: np.ndarray) -> None:
        message.add_features(Features(LENGTH * vector[None, :], FEATURE_TYPE_SENTENCE, TEXT, self._config["alias"] or "vector"))


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class NGrams(SparseFeaturizer, GraphComponent):
    """Hashed character and word n-grams, each of length LENGTH whatever the message's.

    Rasa's own counts grow with the message: a long story with one question at its end was told with certainty to be anything.
    """

    def __init__(self, config: Dict[Text, Any], name: Text) -> None:
        super().__init__(name, config)
        common = {"n_features": BUCKETS, "alternate_sign": False}
        self._parts = (
            HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), **common),
            HashingVectorizer(analyzer="word", ngram_range=(1, 3), token_pattern=r"\b\w+\b", **common),  # noqa: S106
        )

    @classmethod
    def required_components(cls) -> List[Type]:
        """A tokenizer must stand before it."""
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """Rasa looks for `alias` in every featurizer."""
        return {**SparseFeaturizer.get_default_config(), "alias": None}

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        """There is nothing to get wrong."""

    @classmethod
    def create(cls, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext) -> "NGrams":
        """Rasa's factory."""
        return cls(config, execution_context.node_name)

    def process(self, messages: List[Message]) -> List[Message]:
        """Add the n-grams to each message."""
        for message in messages:
            rows = [part.transform([plain(message.get(TEXT) or "")]) for part in self._parts]
            columns = np.concatenate([row.indices + i * BUCKETS for i, row in enumerate(rows)])
            lengths = LENGTH * np.concatenate([row.data for row in rows])
            both = scipy.sparse.coo_matrix((lengths, (np.zeros_like(columns), columns)), shape=(1, len(rows) * BUCKETS))
            message.add_features(Features(both, FEATURE_TYPE_SENTENCE, TEXT, self._config["alias"] or "ngrams"))
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add the n-grams to all training examples."""
        self.process([e for e in training_data.training_examples if e.get(TEXT)])
        return training_data


def plain(text: Text) -> Text:
    """Lower case, words and their apostrophes only."""
    return " ".join(w for w in NOT_A_WORD.split(text.lower()) if w)
