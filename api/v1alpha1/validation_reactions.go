package v1alpha1

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateReactions checks what becomes of a release by an analysis.
func validateReactions(a *Analysis, path *field.Path) field.ErrorList {
	errs := validateReaction(a.OnFailed, path.Child("onFailed"))
	errs = append(errs, validateReaction(a.OnInconclusive, path.Child("onInconclusive"))...)
	if a.OnError != nil && a.OnError.Action != ReactionHold {
		return append(errs, field.Invalid(path.Child("onError", "action"), a.OnError.Action,
			"figures are missing for a moment in every release: write action: Hold, with timeLimit: 10m and then: Abort"))
	}
	return append(errs, validateReaction(a.OnError, path.Child("onError"))...)
}

func validateReaction(r *Reaction, path *field.Path) field.ErrorList {
	switch {
	case r == nil:
	case !slices.Contains([]ReactionAction{ReactionAbort, ReactionHold, ReactionContinue}, r.Action):
		return field.ErrorList{field.NotSupported(path.Child("action"), r.Action,
			[]ReactionAction{ReactionAbort, ReactionHold, ReactionContinue})}
	case (r.TimeLimit == nil) != (r.Then == ""):
		return field.ErrorList{field.Invalid(path, r.Action,
			"a time limit needs what follows it: write both, such as timeLimit: 1h and then: Abort, or neither")}
	case r.TimeLimit == nil:
	case r.Action != ReactionHold:
		return field.ErrorList{field.Invalid(path.Child("action"), r.Action,
			"Abort and Continue happen at once: remove timeLimit and then, or write action: Hold")}
	case r.TimeLimit.Duration < time.Second || r.TimeLimit.Duration > maxHold:
		return field.ErrorList{field.Invalid(path.Child("timeLimit"), r.TimeLimit.Duration.String(),
			`write a duration such as "1h", at least "1s" and at most "720h"`)}
	case r.Then == ReactionHold:
		return field.ErrorList{field.NotSupported(path.Child("then"), r.Then, []ReactionAction{ReactionAbort, ReactionContinue})}
	}
	return nil
}
