"""The rules: their table, and one file per object with the code that checks them: values in, findings out."""

from webhook.admission.rules.table import ALWAYS_DENIED, RULE_IDS, RULES, Place, Rule, Severity

__all__ = ["ALWAYS_DENIED", "RULES", "RULE_IDS", "Place", "Rule", "Severity"]
