"""Missing and unwritable things and parts of things, one class per row of the table of thing resources."""

from __future__ import annotations

from protocol.errors.base import NotFound, NotModifiable


class ThingNotFound(NotFound):
    """The thing is missing or hidden, or its policy was deleted (queries)."""

    code = "things:thing.notfound"
    what = "thing"


class ThingPolicyIdNotFound(NotFound):
    """The policy id is hidden."""

    code = "things:policyId.notfound"
    what = "policy id"


class DefinitionNotFound(NotFound):
    """The thing has no definition."""

    code = "things:definition.notfound"
    what = "definition"


class AttributesNotFound(NotFound):
    """The thing has no attributes."""

    code = "things:attributes.notfound"
    what = "attributes object"


class AttributeNotFound(NotFound):
    """There is no such attribute."""

    code = "things:attribute.notfound"
    what = "attribute"


class FeaturesNotFound(NotFound):
    """The thing has no features."""

    code = "things:features.notfound"
    what = "features object"


class FeatureNotFound(NotFound):
    """There is no such feature; also for writes below a missing feature."""

    code = "things:feature.notfound"
    what = "feature"


class FeatureDefinitionNotFound(NotFound):
    """The feature has no definition."""

    code = "things:feature.definition.notfound"
    what = "feature definition"


class FeaturePropertiesNotFound(NotFound):
    """The feature has no properties."""

    code = "things:feature.properties.notfound"
    what = "properties object"


class FeaturePropertyNotFound(NotFound):
    """There is no such property."""

    code = "things:feature.property.notfound"
    what = "property"


class FeatureDesiredPropertiesNotFound(NotFound):
    """The feature has no desired properties."""

    code = "things:feature.desiredProperties.notfound"
    what = "desired properties object"


class FeatureDesiredPropertyNotFound(NotFound):
    """There is no such desired property."""

    code = "things:feature.desiredProperty.notfound"
    what = "desired property"


class ThingNotModifiable(NotModifiable):
    """The thing may not be written, or its policy was deleted (writes)."""

    code = "things:thing.notmodifiable"
    what = "thing"


class ThingNotDeletable(NotModifiable):
    """The thing may not be deleted."""

    code = "things:thing.notdeletable"
    what = "existence of the thing"


class ThingPolicyIdNotModifiable(NotModifiable):
    """The policy id may not be written."""

    code = "things:policyId.notmodifiable"
    what = "policy id"


class DefinitionNotModifiable(NotModifiable):
    """The definition may not be written."""

    code = "things:definition.notmodifiable"
    what = "definition"


class AttributesNotModifiable(NotModifiable):
    """The attributes may not be written."""

    code = "things:attributes.notmodifiable"
    what = "attributes object"


class AttributeNotModifiable(NotModifiable):
    """The attribute may not be written."""

    code = "things:attribute.notmodifiable"
    what = "attribute"


class FeaturesNotModifiable(NotModifiable):
    """The features may not be written."""

    code = "things:features.notmodifiable"
    what = "features object"


class FeatureNotModifiable(NotModifiable):
    """The feature may not be written."""

    code = "things:feature.notmodifiable"
    what = "feature"


class FeatureDefinitionNotModifiable(NotModifiable):
    """The feature's definition may not be written."""

    code = "things:feature.definition.notmodifiable"
    what = "feature definition"


class FeaturePropertiesNotModifiable(NotModifiable):
    """The properties may not be written."""

    code = "things:feature.properties.notmodifiable"
    what = "properties object"


class FeaturePropertyNotModifiable(NotModifiable):
    """The property may not be written."""

    code = "things:feature.property.notmodifiable"
    what = "property"


class FeatureDesiredPropertiesNotModifiable(NotModifiable):
    """The desired properties may not be written."""

    code = "things:feature.desiredProperties.notmodifiable"
    what = "desired properties object"


class FeatureDesiredPropertyNotModifiable(NotModifiable):
    """The desired property may not be written."""

    code = "things:feature.desiredProperty.notmodifiable"
    what = "desired property"
