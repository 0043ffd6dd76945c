"""The least program of CDK for Terraform, as its documentation begins: what nobody who uses it can go below."""

from cdktf import App, TerraformStack

app = App()
TerraformStack(app, "empty")
app.synth()
