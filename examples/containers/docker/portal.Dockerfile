FROM {{{ imagebuilder:parentImage }}}
{{{ imagebuilder:environments }}}
{{{ imagebuilder:components }}}
ENV PORTAL_HOME=C:\\portal
# letter for letter: ${PORTAL_HOME} is the Dockerfile's, not Terraform's
WORKDIR ${PORTAL_HOME}
EXPOSE 80
