package cloudwatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// sign gives a question the headers of a signature, for the moment of the measurement: AWS takes those that are not older
// than five minutes.
func sign(ctx context.Context, question *fetch.Question, source *v1alpha1.CloudWatchMetric, query analysis.Query) error {
	var credentials aws.Credentials
	for _, secret := range []struct {
		field string
		ref   *v1alpha1.SecretKeyReference
		into  *string
	}{
		{field + ".accessKeyID", &source.AccessKeyID, &credentials.AccessKeyID},
		{field + ".secretAccessKey", &source.SecretAccessKey, &credentials.SecretAccessKey},
		{field + ".sessionToken", source.SessionToken, &credentials.SessionToken},
	} {
		if secret.ref == nil {
			continue
		}
		value, err := fetch.Secret(ctx, query.Secrets, secret.field, *secret.ref)
		if err != nil {
			return err
		}
		*secret.into = value
	}
	request, err := http.NewRequestWithContext(ctx, question.Method, question.URL, http.NoBody)
	if err != nil {
		return question.Unusable("it is no URL that can be asked", err)
	}
	request.Header = question.Header
	request.ContentLength = int64(len(question.Body))
	hash := sha256.Sum256(question.Body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), service, source.Region, query.At)
	if err != nil {
		return question.Unusable("the request cannot be signed", err)
	}
	return nil
}
