//! Video on its way from one leg to many: header rewriting and key frame requests.
