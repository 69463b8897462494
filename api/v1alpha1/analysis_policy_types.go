package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReactionAction is what becomes of a release.
//
// +kubebuilder:validation:Enum=Abort;Hold;Continue
type ReactionAction string

const (
	// ReactionAbort takes all traffic back to stable.
	ReactionAbort ReactionAction = "Abort"
	// ReactionHold leaves traffic where it is and waits, for figures or a person.
	ReactionHold ReactionAction = "Hold"
	// ReactionContinue goes on as if the analysis had passed.
	ReactionContinue ReactionAction = "Continue"
)

// Reaction is what becomes of a release when an analysis ends, or cannot be measured.
//
// +kubebuilder:validation:XValidation:rule="has(self.timeLimit) == has(self.then)",message="a time limit needs what follows it: write both, such as timeLimit: 1h and then: Abort, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.timeLimit) || self.action == 'Hold'",message="Abort and Continue happen at once: remove timeLimit and then, or write action: Hold",fieldPath=".action"
type Reaction struct {
	// Action is what happens at once: Abort, Hold or Continue.
	// +required
	Action ReactionAction `json:"action"`

	// TimeLimit is how long a Hold lasts. Absent: until a person decides, or the cause is gone.
	// +optional
	// +sluice:validation:Duration:min="1s",max="720h",example="1h"
	TimeLimit *metav1.Duration `json:"timeLimit,omitempty"`

	// Then follows the time limit: Abort or Continue.
	// +optional
	// +kubebuilder:validation:Enum=Abort;Continue
	Then ReactionAction `json:"then,omitempty"`
}
