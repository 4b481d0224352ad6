"""Gives Rasa the knowledge base's phrasings, dialogue examples and lexicon, so that a new statement teaches the dialogue."""

import json
from typing import Any, Dict, List, Optional, Text, Union

from rasa.shared.core.domain import Domain
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.place import build_folder

# the two kinds of out of scope are told apart for the curators; to the dialogue they are one
MERGED = {"out_of_scope_near": "out_of_scope", "out_of_scope_far": "out_of_scope", "ask_general": "ask"}


class KnowledgeImporter(TrainingDataImporter):
    """Reads training.json of the build named by KETAMINE_GUIDE_BUILD (default: build/current)."""

    def __init__(
        self,
        config_file: Optional[Text] = None,
        domain_path: Optional[Text] = None,
        training_data_paths: Optional[Union[List[Text], Text]] = None,
        **kwargs: Any,
    ) -> None:
        """Takes what Rasa passes to every importer; none of it is needed here."""

    def get_domain(self) -> Domain:
        """Nothing: the domain is in bot/domain."""
        return Domain.empty()

    def get_stories(self, exclusion_percentage: Optional[int] = None) -> StoryGraph:
        """Nothing: the rules are in bot/data."""
        return StoryGraph([])

    def get_conversation_tests(self) -> StoryGraph:
        """Nothing: the test stories are in tests/bot."""
        return StoryGraph([])

    def get_config(self) -> Dict:
        """Nothing: the configuration is config.yml."""
        return {}

    def get_config_file_for_auto_config(self) -> Optional[Text]:
        """Every pipeline key is given, so nothing is to be completed."""
        return None

    def get_nlu_data(self, language: Optional[Text] = "en") -> TrainingData:
        """Phrasings as intent `ask`, with the names of the lexicon alone as `followup`; examples under their intents."""
        data = json.loads((build_folder() / "training.json").read_text(encoding="utf-8"))
        examples = [Message.build(text=text, intent="ask") for text in dict.fromkeys(data["phrasings"])]
        for intent, by_language in sorted(data["examples"].items()):
            for texts in by_language.values():
                examples += [Message.build(text=text, intent=MERGED.get(intent, intent)) for text in texts]
        # "fibromyalgia?" after an answer about CRPS: a condition, medicine or route by its bare name leans on the last turn
        names = [n for kind in ("conditions", "medicines", "routes") for e in data["lexicon"][kind] for n in e["names"].get("en", ())[:2]]
        known = {message.get("text") for message in examples}
        examples += [Message.build(text=name, intent="followup") for name in dict.fromkeys(names) if name not in known]
        return TrainingData(training_examples=examples)
