package v1alpha1

// Reasons of the condition Ready of AnalysisRuns and templates, of their events, and of measurements without a figure.
const (
	// ReasonMeasuring: every metric has all it needs, and the last measurement of each gave a number.
	ReasonMeasuring = "Measuring"
	// ReasonNotMeasured: no measurement has been taken yet.
	ReasonNotMeasured = "NotMeasured"
	// ReasonNoData: a query gave no number: an empty result, NaN or infinity.
	ReasonNoData = "NoData"
	// ReasonProviderUnreachable: a provider could not be asked, or failed to answer.
	ReasonProviderUnreachable = "ProviderUnreachable"
	// ReasonAddressInvalid: the address of a provider is missing, or none that can be asked.
	ReasonAddressInvalid = "AddressInvalid"
	// ReasonQueryInvalid: a provider refuses a query.
	ReasonQueryInvalid = "QueryInvalid"
	// ReasonAmbiguous: a query gives several numbers where one is needed.
	ReasonAmbiguous = "Ambiguous"
	// ReasonNoCanaryTraffic: the candidate has a share of the traffic, and served nothing in a batch.
	ReasonNoCanaryTraffic = "NoCanaryTraffic"
	// ReasonNoBaseline: stable served nothing in a batch, so that there is nothing to compare with.
	ReasonNoBaseline = "NoBaseline"
	// ReasonStale: the newest sample is too old for a batch to be whole.
	ReasonStale = "Stale"
	// ReasonPartial: the server warned that its answer is not whole.
	ReasonPartial = "Partial"
	// ReasonConditionInvalid: a success or failure condition does not compile.
	ReasonConditionInvalid = "ConditionInvalid"
	// ReasonArgumentInvalid: an argument has no value, or one that may not stand where it is used.
	ReasonArgumentInvalid = "ArgumentInvalid"
	// ReasonSecretMissing: a Secret that a metric names is not there, or has no such key.
	ReasonSecretMissing = "SecretMissing"
	// ReasonSecretForbidden: the controller may not read a Secret that a metric names.
	ReasonSecretForbidden = "SecretForbidden"
	// ReasonTemplateValid: a template can be used.
	ReasonTemplateValid = "TemplateValid"
	// ReasonTemplateInvalid: a template cannot be used.
	ReasonTemplateInvalid = "TemplateInvalid"
	// ReasonAnalysisPassed: an analysis passed.
	ReasonAnalysisPassed = "AnalysisPassed"
	// ReasonAnalysisStopped: an analysis was stopped before it had a verdict.
	ReasonAnalysisStopped = "AnalysisStopped"
)
